import type { MemberClaim } from "./members.ts";

/** For whom a client asks: one of its own users, or a library that an admin has lent. */
export type Subject = UserSubject | LibrarySubject;

export interface UserSubject {
  readonly type: "user";
  /** Who vouches for `id`: the client itself by default, or an organisation's identity provider. */
  readonly issuer: string;
  /** The client's own, stable identifier of the person. Never an e-mail address that may move to someone else. */
  readonly id: string;
  /** What the client says of the person beside who he is, where an organisation names its members by it. No part of who he is. */
  readonly claims?: readonly MemberClaim[];
}

export interface LibrarySubject {
  readonly type: "library";
  /** iManage's library id, for example `ACTIVE`. */
  readonly id: string;
}

/** The issuer under which a client vouches for its users itself. */
export const CLIENT_ISSUER = "client";

export const sameUser = (a: UserSubject, b: UserSubject): boolean => a.issuer === b.issuer && a.id === b.id;
