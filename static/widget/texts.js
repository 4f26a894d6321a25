/** What the widget says, in English, and how numbers and times are said in any language. Other languages lie in lang/. */

/** A text, or its plural forms. */
const TEXTS = {
  about: 'More about the comment by {name}', anonymous: 'Anonymous', answer: 'Answer {name}…', by: 'Comment by {name}, {when}', cancel: 'Cancel', comment: 'Comment', connecting: 'Connecting…',
  copied: 'The link is copied.', copy: 'Copy link',
  delete: 'Delete', deleted: 'Deleted', edit: 'Edit', edited: 'edited', empty: 'No comments yet. Say the first word.',
  examples: 'emphasis,strong,code,a link,a quote,a list',
  failed: 'This could not be loaded. Try again.', heading: 'Comments', keep: 'Keep', left: '{n} left', like: 'Like the comment by {name}', liked: 'Most liked', live: 'Live',
  long: 'This is {bytes} bytes long; at most {max} fit.', markdown: 'Markdown', missing: 'Write something first.',
  name: 'Name (optional)', newest: 'Newest', notLive: 'There is no connection right now. Try again in a moment.',
  now: 'just now', offline: 'Offline', older: 'Older comments', older_comment: 'an older comment', oldest: 'Oldest',
  over: '{n} too many', pending: 'Waiting for approval', placeholder: 'Say something…', polling: 'Updated every few seconds',
  preview: 'Preview', reading: 'Live · {n} reading', reply: 'Reply', reply_to: 'Reply to {name}', retry: 'Reconnecting…', save: 'Save', send: 'Send',
  sending: 'sending…', someone: 'Someone', sort: 'Order of comments', sure: 'Delete for good?', to: 'to {name}', waiting: 'waits for the connection',
  write: 'Write', write_comment: 'Write a comment', you: 'You',
  came: { one: '{n} new comment', other: '{n} new comments' },
  comments: { one: '{n} comment', other: '{n} comments' },
  held: { one: 'Offline: {n} comment waits here', other: 'Offline: {n} comments wait here' },
  hide: { one: 'Hide {n} answer', other: 'Hide {n} answers' },
  show: { one: 'Show {n} answer', other: 'Show {n} answers' },
  typing: { one: '{who} is typing…', other: '{who} are typing…' },
};
const AGES = [['minute', 60, 3600], ['hour', 3600, 86400], ['day', 86400, 7 * 86400]];

/** What an element says: `text(key, values)`, with its language's numbers and times; what `texts` lacks is said in English. */
export function speaker(lang, texts) {
  const plural = new Intl.PluralRules(lang);
  const { format } = new Intl.NumberFormat(lang);
  const styles = {};
  const relative = (style) => styles[style] ??= new Intl.RelativeTimeFormat(lang, { style });
  const date = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
  const moment = new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'short' });
  const text = (key, values = {}) => {
    const found = texts[key] ?? TEXTS[key];
    const form = found.other ? found[plural.select(values.n)] ?? found.other : found;
    return form.replace(/\{(\w+)\}/g, (_, name) => typeof values[name] === 'number' ? format(values[name]) : values[name]);
  };
  text.lang = lang;
  text.number = format;
  text.moment = (at) => moment.format(at);
  text.ago = (at, style = 'short') => {
    const seconds = Math.max(0, (Date.now() - at) / 1000);
    if (seconds < 45) return text('now');
    for (const [unit, size, end] of AGES) {
      // Without the full stop of "4 min. ago".
      if (seconds < end) return relative(style).format(-Math.max(1, Math.floor(seconds / size)), unit).replace(/\b(min|hr)\./, '$1');
    }
    return date.format(at);
  };
  return text;
}

/** The server's words as a sentence of their own. */
export const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');
