// Where the page and its API are: right below a reverse proxy's path too. The server writes the
// base into the page.
const base =
  typeof document === "undefined" ? new URL("http://localhost/ui/") : new URL(document.baseURI);

/** "/ui/", or "/tools/baton/ui/". */
export const basePath = base.pathname;

export function apiUrl(path: string): string {
  return new URL(`../api/v1/${path}`, base).href;
}

/** The address of a page: "flows?q=x" → "/ui/flows?q=x". */
export function hrefOf(path: string): string {
  return basePath + path;
}
