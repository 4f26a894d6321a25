//! What comments are looked through for before they reach the hub, shared by the threads that read requests.
//!
//! Knows no file: whoever reads `--block-file` puts its list here.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{
    comment::block_list::BlockList, comment::draft::Text, comment::hold_reason::HoldReason,
};

/// See the [module](self). The lock is taken to copy or to replace a pointer and never held longer, so nobody waits for a comparison.
#[derive(Debug, Default)]
pub struct Screen(RwLock<Option<Arc<BlockList>>>);

impl Screen {
    /// The present list; `None` if there is none.
    pub fn block_list(&self) -> Option<Arc<BlockList>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes another list from now on.
    pub fn set_block_list(&self, list: BlockList) {
        let list = Some(Arc::new(list)).filter(|list| !list.is_empty());
        let before =
            std::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), list);
        // Outside the lock, since freeing a long list takes a while.
        drop(before);
    }

    /// Why an author's new text must wait. The name was looked through with the comment.
    pub fn check_edit(&self, text: &Text) -> Option<HoldReason> {
        text.blocked_by(&*self.block_list()?, None)
    }
}
