/** What the widget says, in English, and how numbers and times are said in any language. Other languages lie in lang/. */

/** A text, or its plural forms. What only some need is in the modules that they load. */
const TEXTS = {
  about: 'More about the comment by {name}', anonymous: 'Anonymous', by: 'Comment by {name}, {when}', comment: 'Comment',
  connecting: 'Connecting…', deleted: 'Deleted', edited: 'edited', empty: 'No comments yet. Say the first word.',
  failed: 'This could not be loaded. Try again.', heading: 'Comments', liked: 'Most liked', live: 'Live', markdown: 'Markdown',
  name: 'Name (optional)', newer: 'Newer comments', newest: 'Newest', now: 'just now', offline: 'Offline', older: 'Older comments',
  notLive: 'There is no connection right now. Try again in a moment.', older_comment: 'an older comment', oldest: 'Oldest',
  pending: 'Waiting for approval', placeholder: 'Say something…', polling: 'Updated every few seconds',
  reading: 'Live · {n} reading', reply: 'Reply', reply_to: 'Reply to {name}', retry: 'Reconnecting…', send: 'Send',
  sort: 'Order of comments', to: 'to {name}', write_comment: 'Write a comment', you: 'You',
  came: { one: '{n} new comment', other: '{n} new comments' },
  comments: { one: '{n} comment', other: '{n} comments' },
  hide: { one: 'Hide {n} answer', other: 'Hide {n} answers' },
  more: { one: '{n} more answer', other: '{n} more answers' },
  show: { one: 'Show {n} answer', other: 'Show {n} answers' },
};
const AGES = [['minute', 60, 3600], ['hour', 3600, 86400], ['day', 86400, 7 * 86400]];

/** More of them, in English. */
export const learn = (more) => Object.assign(TEXTS, more);

/** What an element says: `text(key, values)`, with its language's numbers and times; what `texts` lacks is said in English. */
export function speaker(lang, texts) {
  const plural = new Intl.PluralRules(lang);
  const { format } = new Intl.NumberFormat(lang);
  const styles = {};
  const relative = (style) => styles[style] ??= new Intl.RelativeTimeFormat(lang, { style });
  const date = new Intl.DateTimeFormat(lang, { dateStyle: 'medium' });
  const moment = new Intl.DateTimeFormat(lang, { dateStyle: 'long', timeStyle: 'short' });
  const fill = (form, values) => form.replace(/\{(\w+)\}/g, (_, name) => typeof values[name] === 'number' ? format(values[name]) : values[name]);
  const text = (key, values = {}) => {
    const found = texts[key] ?? TEXTS[key];
    return fill(found.other ? found[plural.select(values.n)] ?? found.other : found, values);
  };
  text.fill = fill;
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
