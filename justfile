# Shortcuts for those who have `just`. Everything works without it: see CONTRIBUTING.md.

# List the recipes
default:
    @just --list

# The service and an emulated tenant on this machine
demo *arguments:
    cargo run --release -- demo {{ arguments }}

# All checks, or the named steps
test *steps:
    scripts/test {{ steps }}

# Only the tests; arguments go to nextest
t *arguments:
    cargo nextest run --workspace {{ arguments }}

# Format, then lint
lint:
    cargo fmt --all
    scripts/test lint clippy

# The documentation of every item, in a browser
doc:
    cargo doc --workspace --no-deps --document-private-items --open

# Regenerate the test vectors from the packages that Auth0 validates with
vectors:
    scripts/oracle/run

# Known vulnerabilities in dependencies; needs the network
audit:
    cargo deny check advisories

# Search one target for a crash
fuzz target seconds="60":
    fuzz/run {{ target }} {{ seconds }}

# Build the image
image:
    docker build --tag auth0-signup .
