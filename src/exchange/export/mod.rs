//! Writes comments in the forms of other systems.
