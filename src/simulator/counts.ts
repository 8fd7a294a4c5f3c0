/** How often each thing was asked. A call counts when it arrives, whatever becomes of it. */
export interface Counts {
  routes: Record<string, number>;
  /** Calls of the API by what they ask for: `GET documents/:document`. */
  resources: Record<string, number>;
  calls_by_library: Record<string, number>;
  /** The most calls of the API that were under way at the same moment. */
  concurrent_calls_max: number;
  grant_types: Record<string, number>;
  /** Refresh calls that presented any refresh token of the family, live or dead. */
  refreshes_by_family: Record<string, number>;
  refreshes_by_user: Record<string, number>;
  /** The most refresh calls of one family that were under way at the same moment. */
  concurrent_refreshes_max_by_family: Record<string, number>;
  statuses: Record<string, number>;
  faults_fired: Record<string, number>;
  /** Clients that hung up before they had their answer. */
  aborted: number;
}

export const noCounts = (): Counts => ({
  routes: {},
  resources: {},
  calls_by_library: {},
  concurrent_calls_max: 0,
  grant_types: {},
  refreshes_by_family: {},
  refreshes_by_user: {},
  concurrent_refreshes_max_by_family: {},
  statuses: {},
  faults_fired: {},
  aborted: 0,
});

export function count(in_: Record<string, number>, key: string): void {
  in_[key] = (in_[key] ?? 0) + 1;
}
