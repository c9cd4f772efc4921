//! First start, in four screens: [`Code`], [`Password`], [`Naming`], [`FirstInvitation`]. Each can be left and taken up
//! again. Without script each is a form that leads to the next.

/// `/setup`: the code that the box printed on its console.
pub mod code;
/// `/setup/invite`: the first invitation.
pub mod invite;
/// `/setup/box`: name and time zone.
pub mod naming;
/// `/setup/password`: the owner's name and password.
pub mod password;

pub use code::Code;
pub use invite::FirstInvitation;
pub use naming::Naming;
pub use password::{Password, Strength};
