/** Where a command shows how far it is. */
export interface ProgressScreen {
  /** Whether somebody looks: otherwise nothing is drawn. */
  readonly isTTY: boolean;
  readonly columns: number;
  readonly write: (text: string) => void;
}

export interface ProgressBar {
  /** @param of undefined: how much there is, is not known */
  at(done: number, of?: number): void;
  /** Clears the line. */
  end(): void;
}

const WIDTH = 24;
/** Not more often, however fast it goes. */
const DRAWN_EVERY_MS = 100;

/** One line on standard error that is drawn over and over while something takes long; where nobody looks, nothing. */
export function progressBar(
  screen: ProgressScreen,
  what: string,
  monotonicMs: () => number = () => performance.now(),
): ProgressBar {
  if (!screen.isTTY) return { at: () => {}, end: () => {} };
  let drawnAt: number | undefined;
  return {
    at(done, of) {
      const now = monotonicMs();
      if (drawnAt !== undefined && now - drawnAt < DRAWN_EVERY_MS && done !== of) return;
      drawnAt = now;
      screen.write(`\r\u001b[K${lineOf(what, done, of).slice(0, Math.max(20, screen.columns - 1))}`);
    },
    end() {
      if (drawnAt !== undefined) screen.write("\r\u001b[K");
    },
  };
}

function lineOf(what: string, done: number, of: number | undefined): string {
  if (of === undefined || of <= 0) return `${what}  ${done}`;
  const share = Math.min(1, done / of);
  const full = Math.round(share * WIDTH);
  return `${what}  [${"#".repeat(full)}${".".repeat(WIDTH - full)}] ${Math.floor(share * 100)} %  ${done} of ${of}`;
}
