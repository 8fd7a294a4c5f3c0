/**
 * iManage as an authorization server, as far as refresh tokens go. A family is everything that descends from one sign-in;
 * a refresh token is `r<family>.<how many came before it>`.
 */
export type RefreshMode = "same" | "none" | "rotate" | "leeway" | "strict";

export interface Family {
  /** Number of the token that works. */
  readonly current: number;
  /** Leeway: superseded tokens from this number on work still. */
  readonly leewayFrom: number;
  /** Ended by reuse, or by a later sign-in. */
  readonly ended: boolean;
}

export type ServerAnswer =
  | { readonly kind: "tokens"; readonly refreshToken: string | undefined }
  | { readonly kind: "invalid_grant" };

export const NEW_FAMILY: Family = { current: 0, leewayFrom: 0, ended: false };

export const tokenOf = (family: number, number: number): string => `r${family}.${number}`;

export function familyOf(token: string): number {
  return Number(token.slice(1, token.indexOf(".")));
}

export const numberOf = (token: string): number => Number(token.slice(token.indexOf(".") + 1));

/** Would presenting this token now bring new ones? */
export function accepts(families: readonly Family[], mode: RefreshMode, token: string): boolean {
  const family = families[familyOf(token) - 1]!;
  const number = numberOf(token);
  if (family.ended) return false;
  return number === family.current || (mode === "leeway" && number >= family.leewayFrom);
}

/** Spends a refresh token, with all that follows from it. */
export function redeem(
  families: readonly Family[],
  mode: RefreshMode,
  token: string,
): { readonly families: readonly Family[]; readonly answer: ServerAnswer } {
  const index = familyOf(token) - 1;
  const family = families[index]!;
  const refused = { kind: "invalid_grant" } as const;
  if (family.ended) return { families, answer: refused };

  if (numberOf(token) !== family.current) {
    if (accepts(families, mode, token))
      return { families, answer: { kind: "tokens", refreshToken: tokenOf(index + 1, family.current) } };
    // Reuse detection as RFC 9700 §4.14.2 describes it: two hold the token, so neither is trusted.
    if (mode === "strict")
      return { families: families.with(index, { ...family, ended: true }), answer: refused };
    return { families, answer: refused };
  }
  switch (mode) {
    case "same":
      return { families, answer: { kind: "tokens", refreshToken: token } };
    case "none":
      return { families, answer: { kind: "tokens", refreshToken: undefined } };
    default: {
      const current = family.current + 1;
      return {
        families: families.with(index, { ...family, current }),
        answer: { kind: "tokens", refreshToken: tokenOf(index + 1, current) },
      };
    }
  }
}
