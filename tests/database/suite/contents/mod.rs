//! What applications and people have put into the columns, besides tokens and plaintext.

mod exempt;
mod tied;
mod wrapped;
