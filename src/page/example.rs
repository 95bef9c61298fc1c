//! The example of a form of one's own, in ten lines, which `auth0-signup demo` prints and serves.

/// The lines, for a service at `http://127.0.0.1:8080`.
static LINES: &str = include_str!("assets/example.html");

/// The address in them.
const SERVICE: &str = "http://127.0.0.1:8080";

/// The lines, for a service at this address.
pub fn lines(service: &str) -> String {
    LINES.replace(SERVICE, service)
}

/// A page that is nothing else.
pub fn page(service: &str) -> String {
    format!(
        "<!doctype html>\n\
         <html lang=\"en\">\n\
         <meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>Example</title>\n\
         <!-- These lines are all that a page of your own needs. -->\n\
         {}",
        lines(service)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_ten_lines_and_the_readme_shows_them() {
        assert_eq!(LINES.lines().count(), 10);
        assert!(include_str!("../../README.md").contains(LINES));
        assert!(lines("http://localhost:1").contains("action=\"http://localhost:1/signup\""));
    }
}
