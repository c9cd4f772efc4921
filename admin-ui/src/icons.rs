//! Icons of a line's width, drawn for a square of 24.

use crate::markup::Markup;

/// An icon; an unknown name gives an empty square.
pub(crate) fn icon(name: &str) -> Markup {
    Markup::trusted(format!(
        "<svg class=\"icon\" aria-hidden=\"true\" focusable=\"false\" viewBox=\"0 0 24 24\"><path d=\"{}\"/></svg>",
        path(name)
    ))
}

fn path(name: &str) -> &'static str {
    match name {
        "brand" => "M5 10h14M7 10v6a4 4 0 0 0 4 4h2a4 4 0 0 0 4-4v-6M10 4c-1 1.3 1 1.7 0 3M14 4c-1 1.3 1 1.7 0 3",
        "overview" => "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
        "members" => {
            "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21v-1a6 6 0 0 1 14 0v1M16 3.5a4 4 0 0 1 0 7M18.5 15a6 6 0 0 1 3.5 5v1"
        }
        "invitations" => "M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2v2h-2zM18 18h2v2h-2zM18 14h2M14 18v2",
        "reports" => "M5 21V4h13l-3 4.5 3 4.5H5",
        "traffic" => "M8 20V5M4 9l4-4 4 4M16 4v15M12 15l4 4 4-4",
        "memory" => "M12 21a9 9 0 1 0-9-9M12 7v5l3 2M3 16v5h5",
        "network" => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM3 12h18M12 3c5 5 5 13 0 18M12 3c-5 5-5 13 0 18",
        "settings" => "M4 7h10M18 7h2M16 5v4M4 12h2M10 12h10M8 10v4M4 17h8M16 17h4M14 15v4",
        "audit" => "M7 3h10v4H7zM17 5h3v16H4V5h3M8 12h8M8 16h5",
        "logs" => "M4 6h16M4 11h16M4 16h10M4 21h6",
        "about" => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v6M12 7v.5",
        "well" => "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM8 12.5l3 3 5.5-6.5",
        "warning" => "M12 3.5 22 20.5H2zM12 10v5M12 17.5v.5",
        "menu" => "M4 6h16M4 12h16M4 18h16",
        "close" => "M5 5l14 14M19 5 5 19",
        "print" => "M7 8V3h10v5M7 17H4V8h16v9h-3M7 14h10v7H7z",
        "download" => "M12 3v12M7 10l5 5 5-5M4 20h16",
        "sign-out" => "M10 4H4v16h6M15 8l4 4-4 4M19 12H9",
        "phone" => "M7 2h10v20H7zM11 18.5h2",
        "web" => "M3 5h18v14H3zM3 9h18",
        "lock" => "M6 11h12v10H6zM8.5 11V7a3.5 3.5 0 0 1 7 0v4",
        _ => "",
    }
}
