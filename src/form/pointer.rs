//! RFC 6901 pointers to members of a body.

/// The maximum number of code points of a client's name that a pointer repeats.
const MAX_NAME_LENGTH: usize = 100;

/// The number of bytes after which a pointer gets no further names. It then points to an enclosing
/// object.
const MAX_LENGTH: usize = 200;

/// Builds the RFC 6901 pointer from these names. A name is cut after 100 code points, and names
/// that would start beyond byte 200 are left out.
pub(super) fn pointer<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let mut pointer = String::new();
    for name in names {
        if pointer.len() >= MAX_LENGTH {
            break;
        }
        pointer.push('/');
        for char in name.chars().take(MAX_NAME_LENGTH) {
            match char {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                other => pointer.push(other),
            }
        }
    }
    pointer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_escaped_and_cut() {
        assert_eq!(pointer(["a/b~c"]), "/a~1b~0c");
        assert_eq!(pointer(["x".repeat(5000).as_str()]).len(), 101);
    }
}
