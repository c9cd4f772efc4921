//! A module a page. Each view model is plain data; `render` makes the page of it.
//!
//! Forms carry what was typed in `values`-like fields and what is wrong with it in `errors`, so a refused form comes
//! back as it was sent. Times are Unix seconds, `0` where the box does not know; ids are what goes into a path.

pub mod about;
pub mod audit;
pub mod backup;
pub mod confirm;
pub mod error;
pub mod invitations;
pub mod keepers;
pub mod logs;
pub mod members;
pub mod memory;
pub mod network;
pub mod overview;
pub mod reports;
pub mod sessions;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod tokens;
pub mod traffic;
pub mod wait;

use crate::form::Errors;
use crate::ui::Ui;

/// What the frame asks of a page.
pub(crate) trait Page {
    /// For the heading and the window.
    fn title(&self, ui: &Ui<'_>) -> String;

    /// Is told on top, with links to the fields.
    fn errors(&self) -> Option<&Errors> {
        None
    }

    /// What a field is called, for the summary of what is wrong.
    fn label(&self, _ui: &Ui<'_>, _field: &str) -> Option<String> {
        None
    }
}

/// Binds a view model to its template: `page!(View, "view.html")`.
macro_rules! page {
    ($view:ident, $template:tt) => {
        #[derive(askama::Template)]
        #[template(path = $template)]
        struct Html<'a> {
            ui: &'a $crate::ui::Ui<'a>,
            title: String,
            summary: $crate::markup::Markup,
            bad: bool,
            v: &'a $view,
        }

        impl $view {
            /// The page.
            pub fn render(&self, chrome: &$crate::chrome::Chrome) -> String {
                use $crate::view::Page as _;
                let ui = $crate::ui::Ui::new(chrome);
                let errors = self.errors().filter(|errors| !errors.is_empty());
                let html = Html {
                    title: self.title(&ui),
                    summary: errors
                        .map(|errors| ui.summary(errors.told(&ui, |field| self.label(&ui, field))))
                        .unwrap_or_default(),
                    bad: errors.is_some(),
                    ui: &ui,
                    v: self,
                };
                // Only a writer can fail here, and a String does not.
                askama::Template::render(&html).unwrap_or_default()
            }
        }
    };
}
pub(crate) use page;
