//! The sample files and the snippets of the documentation.
