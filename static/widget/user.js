/**
 * Who one is because the host page has signed it, with the attribute `user`: a name instead of the field for one, and no key. Loaded
 * with write.js where the attribute is; works on its thread. Whether the signature is good only the server knows.
 */

import { el, guarded } from './dom.js';
import { learn } from './texts.js';
import { verified } from './verified.js';

const TEXTS = {
  conceal: 'Hide', concealed: 'Hidden',
};
learn(TEXTS);

/** ms */
const ANSWER_WAIT = 20_000;

/** What the host page says there, as far as it can be read. */
function claimsOf(user) {
  const letters = user.split('.')[0].replaceAll('-', '+').replaceAll('_', '/');
  const read = () => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(letters), (letter) => letter.charCodeAt(0))));
  const { id, site, name } = guarded(read) ?? {};
  return { id: `${site} ${id}`, name: typeof name === 'string' ? name : '', user };
}

export class User {
  #thread;
  /** As thread.js keeps it for others: `{id, name, user}`, and what the server has told: `author`, `moderator`. */
  me;

  constructor(thread) {
    this.#thread = thread;
    this.me = claimsOf(thread.host.getAttribute('user'));
  }

  /** Takes the attribute's new value; answers whether it is the same user's. */
  renew() {
    const claims = claimsOf(this.#thread.host.getAttribute('user') ?? '');
    if (claims.id !== this.me.id) return false;
    Object.assign(this.me, claims);
    for (const shown of this.#thread.root.querySelectorAll('.as bdi')) shown.textContent = this.me.name;
    return true;
  }

  /** A field shows under whose name one writes, instead of asking for it. */
  dress({ form, name }) {
    if (!form.contains(name)) return;
    name.value = this.me.name;
    name.hidden = true;
    name.before(el('span', { class: 'as' }, el('bdi', {}, this.me.name), verified(this.#thread.text)));
  }

  /** Says to the server who one is, which then tells as whom it takes one. */
  async introduce() {
    const { connection, base, writer } = this.#thread;
    if (connection.send({ user: this.me.user }) || connection.state !== 'polling') return;
    const headers = { authorization: `Sayso ${this.me.user}` };
    const answer = await fetch(`${base}/api/user`, { headers, signal: AbortSignal.timeout(ANSWER_WAIT) }).then((answer) => answer.json()).catch(() => ({}));
    if (answer.user) this.take(answer.user);
    else if (answer.error) writer.refused(answer);
  }

  take({ author, name, moderator = false }) {
    Object.assign(this.me, { author, name, moderator });
    this.#thread.writer?.storageChanged(null);
  }
}
