// Which rows of a long list are drawn. Pure.
export interface Window {
  from: number;
  to: number;
  before: number; // Pixels of what is left out above,
  after: number; // and below.
}

export function windowOf(count: number, row: number, top: number, height: number): Window {
  const spare = Math.ceil(height / row / 2) + 4;
  const first = Math.floor(Math.max(0, top) / row);
  const from = Math.min(Math.max(0, first - spare), Math.max(0, count - 1));
  const to = Math.min(count, first + Math.ceil(height / row) + spare);
  return { from, to, before: from * row, after: Math.max(0, (count - to) * row) };
}
