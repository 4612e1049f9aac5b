// The tab's icon tells the state of the execution that it shows.
import type { Shape, Tone } from "../logic/states";

const colours: Record<Tone, string> = {
  grey: "#8b93a5", blue: "#3b82f6", amber: "#e0a100", green: "#22a565", orange: "#ee8020", red: "#e5484d",
  violet: "#a05be0",
};
const marks: Record<Shape, string> = {
  circle: "<circle cx='16' cy='16' r='6'/>",
  arc: "<path d='M16 7a9 9 0 0 1 9 9'/>",
  bars: "<path d='M12 10v12M20 10v12'/>",
  check: "<path d='m9 16.5 5 5 9-10'/>",
  triangle: "<path d='M16 8v9M16 22.5v.5'/>",
  cross: "<path d='m10 10 12 12M22 10 10 22'/>",
  square: "<path d='M11 11h10v10H11z'/>",
  dash: "<path d='M9 16h14'/>",
};

/** Until the result is called. */
export function showFavicon(shape: Shape, tone: Tone): () => void {
  const link = document.querySelector<HTMLLinkElement>("link[rel=icon]");
  if (!link) return () => undefined;
  const before = link.dataset["own"] ?? link.href;
  link.dataset["own"] = before;
  const svg =
    `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='16' fill='${colours[tone]}'/>` +
    `<g fill='none' stroke='#fff' stroke-width='3.5' stroke-linecap='round' stroke-linejoin='round'>${marks[shape]}</g></svg>`;
  link.href = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  return () => {
    link.href = before;
  };
}
