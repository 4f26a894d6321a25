/** What the page for moderators says. */

import { learn, speaker } from '../widget/texts.js';

learn({
  // Frame
  token: 'Token', signIn: 'Sign in', signOut: 'Sign out',
  signInHint: 'Your line of the token file, without the name. This tab forgets it when it is closed.',
  search: 'Search text, names, pages', queues: 'Queues', pages: 'Pages', allPages: 'All pages', account: 'Account of {name}',
  live: 'Live', reading: 'Live · {n} reading', retry: 'Reconnecting…', offline: 'Offline', connecting: 'Connecting…',
  skip: 'Skip to the comments',
  notify: 'Notify me of waiting comments', shortcuts: 'Keys without Ctrl', help: 'Keyboard', close: 'Close',
  notified: { one: '{n} comment waits', other: '{n} comments wait' },
  noNotify: 'The browser does not allow notifications from here.',
  // Views
  waiting: 'Waiting', flagged: 'Flagged', newest: 'Newest', hidden: 'Hidden', deleted: 'Deleted', banned: 'Banned', page: 'Page {page}',
  author: 'By {name}', found: 'Found: {q}', thread: 'Thread', oldestFirst: 'oldest first', newestFirst: 'newest first',
  inOrder: 'whole, with what waits',
  selectAll: 'Select all', selectNone: 'Select none', selected: '{n} selected', select: 'Select the comment by {name}',
  fresh: { one: '{n} new', other: '{n} new' },
  loading: 'Loading…', more: 'More', searchOn: 'Search on', refresh: 'Clear what is decided',
  calm: 'Nothing waits.', calmFlagged: 'Nothing is flagged.', calmHere: 'Nothing here.', calmBans: 'Nobody is banned.',
  lastDecision: 'Last decision {when} by {name}.',
  lock: 'Lock page', unlock: 'Unlock page', locked: 'locked', openPage: 'Open page', pagesFound: 'Pages:',
  // An entry
  anonymous: 'Anonymous', site: 'answers as the site', answers: 'answers {name}: {quote}', answersGone: 'answers a comment that is gone',
  answersUnknown: 'answers another comment', by: 'Comment by {name}', edited: 'edited', editedBySite: 'edited by a moderator',
  changed: 'changed meanwhile',
  decidedAsk: 'Somebody else has just decided on it.',
  changedAsk: 'The text has changed since you read it. Read it again, then decide.', pinned: 'pinned', imported: 'from {from}',
  links: { one: '{n} link', other: '{n} links' }, newHere: 'new here', held: 'all wait', flags: { one: '{n} flag', other: '{n} flags' },
  onHold: 'author on hold', repair: 'held by a repair', undone: 'taken back', comments: { one: '{n} comment', other: '{n} comments' },
  was_approve: 'approved', was_hide: 'hidden', was_delete: 'deleted', was_reject: 'rejected', by_name: '{what} by {name}',
  isHidden: 'hidden', isPending: 'waiting',
  isDeleted: 'deleted', gone: 'Its text is gone for good.',
  // Actions
  approve: 'Approve', keep: 'Keep', restore: 'Restore', hide: 'Hide', delete: 'Delete', edit: 'Edit', pin: 'Pin', unpin: 'Unpin',
  answer: 'Answer', ban: 'Ban…',
  openThread: 'Thread', reason: 'Why…', reasonHint: 'Only the author sees it, with Hide or Delete.', reasonOwn: 'In your own words',
  actions: 'More actions', save: 'Save',
  cancel: 'Cancel', send: 'Answer', approveAndSend: 'Approve and answer', content: 'Text', reply: 'Answer as the site',
  noAuthor: 'Nobody can be told from this comment: it came without a key.',
  // Toasts
  undo: 'Undo', done_approve: 'Approved', done_keep: 'Kept', done_restore: 'Restored', done_hide: 'Hidden', done_delete: 'Deleted',
  done_edit: 'Changed',
  done_pin: 'Pinned', done_unpin: 'Unpinned', done_answer: 'Answered', done_ban: 'Banned', done_holdAuthor: 'On hold', done_lock: 'Locked',
  done_unlock: 'Unlocked', done_lift: 'Lifted', done_note: 'Saved',
  one: '{what}: “{quote}”', some: '{what}: {n} comments', undid: 'Taken back.', undidApprove: 'Taken back: it is under Hidden now.',
  failed: '{n} could not be done: {why}', nothingUndo: 'Nothing to undo.',
  alsoHidden: '{what}, and {n} hidden',
  // Bans and authors
  banTitle: 'Ban {name}', banMany: { one: 'Ban {n} author', other: 'Ban {n} authors' }, how: 'What', banThem: 'Nothing new from them',
  holdThem: 'What they write waits', howLong: 'How long', alsoAddress: 'Their address too', alsoHide: 'Hide all of theirs',
  day: '1 day', week: '7 days', month: '30 days', ever: 'For ever', banNow: 'Ban', holdNow: 'Hold', lift: 'Lift',
  untilWhen: 'until {when}', forEver: 'for ever', address: 'an address',
  onHoldNow: 'on hold', bannedNow: 'banned', since: 'since {when}', card: 'About {name}', theirs: 'All of theirs',
  holdAuthor: 'Hold what they write',
  isPublic: 'public', rejectedShare: 'rejected', note: 'Private note', noteHint: 'Only moderators see it.', never: 'nothing yet',
  lifting: 'lifted',
  // Errors
  unreachable: 'The server could not be reached. Try again.', strange: 'The server answered with {status}. Try again.',
});

export const text = speaker('en', {});

/** Offered with hiding and deleting. */
export const REASONS = ['Off topic', 'Advertising', 'Insulting', 'Please add a source'];

/** `[keys, what they do]` */
export const KEYS = Object.entries({ 'j k': 'Next, previous', a: 'Approve, keep or restore', h: 'Hide', d: 'Delete', 'w 1…4': 'Say why; only the author sees it',
  r: 'Answer as the site', e: 'Edit', p: 'Pin', b: 'Ban or hold', u: 'About the author', o: 'Whole thread', x: 'Select', z: 'Undo',
  n: 'Show new ones', '/': 'Search', '?': 'This list' });

/** The first words, for a toast or a quote. */
export function quote(content = '', chars = 40) {
  const words = content.replace(/\s+/g, ' ').trim();
  return words.length > chars ? `${words.slice(0, chars).trimEnd()}…` : words;
}
