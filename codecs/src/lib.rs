//! Erasure codes behind one object-safe trait.
pub mod code;
pub mod geometry;
