//! An Auth0 tenant on loopback that keeps users and answers as the real one does.
