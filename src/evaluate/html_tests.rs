use std::collections::{BTreeMap, BTreeSet};

use super::*;

#[test]
fn nothing_of_a_text_is_markup() {
    assert_eq!(
        Escaped("<b a='\"'>&\u{0}\n\u{202e}é").to_string(),
        "&lt;b a=&#39;&quot;&#39;&gt;&amp;\u{fffd}\u{fffd}\u{202e}é"
    );
}

/// Red, green, blue, 0 to 1.
type Colour = [f64; 3];

/// Name and colour of everything that a theme defines.
type Theme = BTreeMap<&'static str, Colour>;

/// Light and dark, and the style sheet behind them.
fn themes() -> ([Theme; 2], &'static str) {
    let (before, rest) = STYLE.split_once("@media (prefers-color-scheme: dark) {").unwrap();
    let (dark, rules) = rest.split_once("\n}\n").unwrap();
    ([before, dark].map(theme), rules)
}

fn theme(text: &'static str) -> Theme {
    let (_, body) = text.split_once(":root {").unwrap();
    let body = body.split('}').next().unwrap();
    let definitions = body.split(';').filter_map(|definition| definition.trim().split_once(": #"));
    definitions
        .map(|(name, digits)| {
            assert_eq!(digits.len(), 6, "{name}");
            let part = |at: usize| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()) / 255.0;
            (name, [part(0), part(2), part(4)])
        })
        .collect()
}

/// How well two colours are told apart: 1 to 21, as WCAG 2.2 defines it.
fn contrast(one: Colour, other: Colour) -> f64 {
    let luminance = |colour: Colour| {
        let [red, green, blue] = colour
            .map(|part| if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// A colour seen through another.
fn over(colour: Colour, opacity: f64, below: Colour) -> Colour {
    let mut seen = below;
    for (seen, part) in seen.iter_mut().zip(colour) {
        *seen = opacity * part + (1.0 - opacity) * *seen;
    }
    seen
}

#[test]
fn light_and_dark_define_the_same_colours_and_nothing_else_has_one() {
    let ([light, dark], rules) = themes();
    assert!(light.keys().eq(dark.keys()));
    assert!(light.iter().all(|(name, colour)| dark[name] != *colour));
    let used: BTreeSet<&str> =
        rules.split("var(").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(used.iter().copied().eq(light.keys().copied()), "{used:?}");
    assert!(!rules.contains('#') && !rules.contains("rgb"), "a colour that is the same in both");
}

#[test]
fn text_can_be_read_and_plots_can_be_told_apart_in_both() {
    for theme in themes().0 {
        let wants = |what: &str, least: f64, one: Colour, other: Colour| {
            let contrast = contrast(one, other);
            assert!(contrast >= least, "{what}: {contrast:.2} instead of {least}");
        };
        let page = theme["--page"];
        for text in ["--text", "--soft"] {
            wants(text, 4.5, theme[text], page);
            wants(text, 4.5, theme[text], theme["--card"]);
        }
        // Words of the legend have the colours of the bars.
        for bar in ["--good", "--bad", "--other", "--late"] {
            wants(bar, 4.5, theme[bar], page);
            wants(bar, 3.0, theme[bar], theme["--attack"]);
        }
        wants("an attack's edge", 3.0, theme["--edge"], page);
        for cell in ["--hit", "--miss"] {
            for step in 0..=100 {
                let opacity = svg::STRONGEST * f64::from(step) / 100.0;
                wants(cell, 4.5, theme["--text"], over(theme[cell], opacity, page));
            }
            wants(cell, 2.0, over(theme[cell], svg::STRONGEST, page), page);
        }
    }
}

#[test]
fn every_class_of_a_plot_has_its_colour_from_the_style_sheet() {
    let mut matrix = Matrix::default();
    matrix.add("benign", "benign", 7);
    matrix.add("tcp_scan", "benign", 2);
    let plots = svg::heat_map(&matrix) + &svg::bars([("tcp_scan", 3)].into_iter());
    let (_, rules) = themes();
    for class in plots.split("class=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        let selector = format!(".{}", class.replace(' ', "."));
        assert!(class == "plain" || rules.contains(&format!("{selector} {{")), "{class}");
    }
    for own in ["fill=\"", "stroke=", "style=", "color="] {
        assert!(!plots.contains(own), "{own}");
    }
}
