/** Widgets on other people's pages, of which there may be several, in any language. */

import { allow, serve, server, visit } from './fixture.mjs';

/** A visitor for whom a widget has taken over and is live, and can write offline. */
export async function live(address, options) {
  const page = await visit(address, options);
  await page.locator('.state[data-state=live]').first().waitFor();
  await page.locator('.look').first().waitFor({ state: 'attached' });
  return page;
}

/** A site that may embed this server's comments, under a policy without anything but what the README says. */
export async function site(body, attributes = 'lang="en"') {
  const address = await serve((request, response) => {
    const { url } = server;
    response.writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; script-src ${url}; connect-src ${url} ${url.replace('http', 'ws')}; require-trusted-types-for 'script'`,
    });
    response.end(`<!doctype html><html ${attributes}><title>A site</title><meta name="viewport" content="width=device-width">
      <script type="module" src="${url}/embed.js"></script><main>${body}</main></html>`);
  });
  await allow(address);
  return address;
}

export const say = async (page, text) => {
  await page.locator('.input').first().fill(text);
  await page.locator('.send').first().click();
};
