// The address is the page's state: real links, back and forward, every filter in the query.
import { basePath, hrefOf } from "./base";
import { changeQuery, match, type Match } from "./routes";

class Router {
  path = $state("");
  query = $state(new URLSearchParams());
  match: Match = $derived(match(this.path));

  start(): void {
    this.#read();
    window.addEventListener("popstate", () => this.#read());
    document.addEventListener("click", (event) => this.#onClick(event));
  }

  #read(): void {
    const { pathname, search } = window.location;
    this.path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) : "";
    this.query = new URLSearchParams(search);
  }

  /** `to` is below the base: "flows?q=x". */
  go(to: string, how: { replace?: boolean } = {}): void {
    if (how.replace) window.history.replaceState(null, "", hrefOf(to));
    else window.history.pushState(null, "", hrefOf(to));
    this.#read();
  }

  set(changes: Record<string, string | string[] | undefined>, how: { replace?: boolean } = {}): void {
    this.go(this.path + changeQuery(this.query, changes), how);
  }

  get(name: string): string {
    return this.query.get(name) ?? "";
  }

  /** Links within the page do not load it again; those with a modifier do what browsers do. */
  #onClick(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest("a");
    if (!link || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== window.location.origin || !url.pathname.startsWith(basePath)) return;
    event.preventDefault();
    this.go(url.pathname.slice(basePath.length) + url.search);
  }
}

export const router = new Router();
