/** A grant as `GET /v1/grants` tells it, as far as the table shows it. */
export interface GrantBody {
  readonly id: string;
  readonly state: string;
  readonly owner: { readonly user_id: string; readonly name: string | null };
  readonly consents: number;
  readonly created_at: string;
  readonly last_refreshed_at: string | null;
  readonly used_by: readonly {
    readonly type: "user" | "library";
    readonly client: string | null;
    readonly subject: string | null;
    readonly library: string | null;
  }[];
}

export function grantsTable(grants: readonly GrantBody[], now: number): string {
  const rows = [
    ["OWNER", "AGE", "STATE", "LAST REFRESH", "USED BY"],
    ...grants.map(({ owner, created_at, state, last_refreshed_at, used_by }) => [
      owner.user_id,
      age(now - Date.parse(created_at)),
      state,
      last_refreshed_at === null ? "never" : `${age(now - Date.parse(last_refreshed_at))} ago`,
      used_by
        .map((use) =>
          use.type === "library" ? `library ${use.library}` : `user ${use.subject ?? "of another client"}`,
        )
        .join(", ") || "nobody",
    ]),
  ];
  const widths = rows[0]!.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, at) => cell.padEnd(widths[at]!))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

function age(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
