/** The page with one widget, as people see it: what they read, and what they do there. */

/** Connected, and with all it needs to write offline. */
export async function isLive(page) {
  await page.locator('.state[data-state=live]').waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
}

export const comment = (page, text) => page.locator('.comment', { has: page.getByText(text, { exact: true }) });

export async function say(page, text, name) {
  if (name) await page.getByLabel('Name (optional)').first().fill(name);
  await page.getByRole('textbox', { name: 'Comment' }).first().fill(text);
  await page.getByRole('button', { name: 'Send' }).first().click();
}

/** Deletes for good: asks, says yes, and lets the time for undoing pass. */
export async function remove(page, article) {
  await choose(article, 'Delete');
  await page.locator('.ask .sure').click();
}

export async function isConfirmed(page, text) {
  await comment(page, text).locator('time').waitFor();
}

/** Chooses from the menu behind a comment's "⋯". */
export async function choose(comment, what) {
  await comment.locator('.dots').click();
  await comment.page().getByRole('menuitem', { name: what }).click();
}
