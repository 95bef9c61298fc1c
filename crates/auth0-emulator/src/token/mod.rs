//! Access tokens: signing, quota and validation.

mod assertion;
mod bearer;
mod jwt;
mod keys;
mod quota;

pub(crate) use self::assertion::check as check_assertion;
pub(crate) use self::bearer::check as check_bearer;
pub(crate) use self::jwt::sign;
pub(crate) use self::keys::{key_id, published};
pub(crate) use self::quota::{QuotaCounter, QuotaDraw};
