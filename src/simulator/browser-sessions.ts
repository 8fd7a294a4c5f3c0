import { newSession } from "./tokens.ts";

export interface BrowserSession {
  id: string;
  customer_id: number;
  user_id: string;
  signed_in_at: number;
}

/** A working day: how long a browser stays signed in is not documented (?), and nothing here depends on it. */
const SESSION_MS = 8 * 3_600_000;

export class BrowserSessions {
  readonly #sessions: BrowserSession[];
  readonly #now: () => number;

  constructor(sessions: BrowserSession[], now: () => number) {
    this.#sessions = sessions;
    this.#now = now;
  }

  open(of: { customer_id: number; id: string }): BrowserSession {
    const session = {
      id: newSession(),
      customer_id: of.customer_id,
      user_id: of.id,
      signed_in_at: this.#now(),
    };
    this.#sessions.push(session);
    if (this.#sessions.length > 10_000) this.#sessions.shift();
    return session;
  }

  find(id: string | undefined): BrowserSession | undefined {
    return this.#sessions.find(
      (session) => session.id === id && this.#now() < session.signed_in_at + SESSION_MS,
    );
  }

  end(id: string | undefined): void {
    const index = this.#sessions.findIndex((session) => session.id === id);
    if (index >= 0) this.#sessions.splice(index, 1);
  }
}
