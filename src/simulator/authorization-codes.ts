import { newCode } from "./tokens.ts";

export interface AuthorizationCode {
  value: string;
  client_id: string;
  customer_id: number;
  user_id: string;
  redirect_uri: string;
  scope: string;
  code_challenge: string | null;
  issued_at: number;
  used_at: number | null;
  /** What the code issued, so that a second use can take it back. */
  family_id: string | null;
}

const KEPT = 10_000;

export class AuthorizationCodes {
  readonly #codes: AuthorizationCode[];
  readonly #now: () => number;
  readonly #byValue: Map<string, AuthorizationCode>;

  constructor(codes: AuthorizationCode[], now: () => number) {
    this.#codes = codes;
    this.#now = now;
    this.#byValue = new Map(codes.map((code) => [code.value, code]));
  }

  issue(
    to: Pick<
      AuthorizationCode,
      "client_id" | "customer_id" | "user_id" | "redirect_uri" | "scope" | "code_challenge"
    >,
  ): AuthorizationCode {
    const code = { ...to, value: newCode(), issued_at: this.#now(), used_at: null, family_id: null };
    this.#codes.push(code);
    this.#byValue.set(code.value, code);
    if (this.#codes.length > KEPT) this.#byValue.delete(this.#codes.shift()!.value);
    return code;
  }

  find(value: string): AuthorizationCode | undefined {
    return this.#byValue.get(value);
  }

  list(): readonly AuthorizationCode[] {
    return this.#codes;
  }
}
