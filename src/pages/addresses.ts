import type { Server } from "../domain/server.ts";

export const librariesAddress = (server: Pick<Server, "id">): string => `/servers/${server.id}/libraries`;

export type LibraryPage = "details" | "authorize" | "withdraw";

export const libraryAddress = (server: Pick<Server, "id">, library: string, page: LibraryPage): string =>
  `${librariesAddress(server)}/${encodeURIComponent(library)}/${page}`;
