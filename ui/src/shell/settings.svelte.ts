// What a person sets for this browser.
type Theme = "system" | "light" | "dark";
const KEY = "baton.settings";

interface Stored {
  theme: Theme;
  isDense: boolean;
  isNarrow: boolean;
  wrapsLogs: boolean;
  hasClock: boolean;
}

function read(): Partial<Stored> {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Stored>;
  } catch {
    return {}; // No storage, or not ours.
  }
}

class Settings {
  theme: Theme = $state("system");
  isDense = $state(false);
  isNarrow = $state(false);
  wrapsLogs = $state(true);
  hasClock = $state(false);

  start(): void {
    Object.assign(this, read());
    this.#show();
  }

  set(changes: Partial<Stored>): void {
    Object.assign(this, changes);
    const { theme, isDense, isNarrow, wrapsLogs, hasClock } = this;
    try {
      localStorage.setItem(KEY, JSON.stringify({ theme, isDense, isNarrow, wrapsLogs, hasClock }));
    } catch {
      // It holds until the tab is closed.
    }
    this.#show();
  }

  nextTheme(): void {
    const order: Theme[] = ["system", "light", "dark"];
    this.set({ theme: order[(order.indexOf(this.theme) + 1) % order.length] ?? "system" });
  }

  #show(): void {
    const root = document.documentElement;
    if (this.theme === "system") delete root.dataset["theme"];
    else root.dataset["theme"] = this.theme;
    root.dataset["density"] = this.isDense ? "dense" : "comfortable";
  }
}

export const settings = new Settings();
