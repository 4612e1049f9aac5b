// Whether the command palette is open.
class PaletteState {
  isOpen = $state(false);
}

export const palette = new PaletteState();
