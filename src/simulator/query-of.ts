import { ApiRefusal } from "./api-refusal.ts";
import type { Call } from "./calls.ts";

export const LIMIT_DEFAULT = 500;
export const LIMIT_MAX = 9999;

export function dateOf(call: Call, name: string): number | undefined {
  const text = call.query.get(name);
  if (text === null || text === "") return undefined;
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new ApiRefusal(400, "NRC_INVALID_PARAMETER", `${name} is not a date.`, name);
  return at;
}

export function numberOf(call: Call, name: string, otherwise: number, least: number, most: number): number {
  const text = call.query.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < least || value > most)
    throw new ApiRefusal(400, "NRC_INVALID_PARAMETER", `${name} is not between ${least} and ${most}.`, name);
  return value;
}

export const limitOf = (call: Call): number => numberOf(call, "limit", LIMIT_DEFAULT, 1, LIMIT_MAX);

export const offsetOf = (call: Call): number => numberOf(call, "offset", 0, 0, Number.MAX_SAFE_INTEGER);

export const totalIfAsked = (call: Call, total: number): { total_count?: number } =>
  call.query.get("total") === "true" ? { total_count: total } : {};

export const isByCursor = (call: Call): boolean => call.query.get("paging_mode") === "standard_cursor";
