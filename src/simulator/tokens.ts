import { createHash, randomBytes } from "node:crypto";

/** 256 random bits behind a prefix that a canary scan finds wherever a token leaked to. */
export const newAccessToken = (): string => `sim_at_${randomBytes(32).toString("base64url")}`;
export const newRefreshToken = (): string => `sim_rt_${randomBytes(32).toString("base64url")}`;
export const newCode = (): string => `sim_code_${randomBytes(32).toString("base64url")}`;
export const newSession = (): string => `sim_session_${randomBytes(32).toString("base64url")}`;

/** Names a token without telling it: the first 16 hex digits of its SHA-256. */
export const fingerprint = (token: string): string =>
  createHash("sha256").update(token).digest("hex").slice(0, 16);
