import type { RegistrationSheet, SheetBlock } from "./registration-sheet.ts";

export const SHEET_FORMATS = ["text", "markdown", "json"] as const;
export type SheetFormat = (typeof SHEET_FORMATS)[number];

/** A sheet as a text that ends with a line break. */
export function renderRegistrationSheet(sheet: RegistrationSheet, format: SheetFormat): string {
  switch (format) {
    case "json":
      return `${JSON.stringify(sheetAsJson(sheet), undefined, 2)}\n`;
    case "markdown":
      return asMarkdown(sheet);
    case "text":
      return asText(sheet);
  }
}

/** As programs read it, by CLI and API alike. */
export const sheetAsJson = ({ title, where, tabs, extensions, olderServers, notes }: RegistrationSheet) => ({
  title,
  where,
  tabs,
  extensions,
  older_servers: olderServers ?? null,
  notes,
});

/** Tabs, extensions and packages alike: a heading with fields. */
const blocksOf = ({ tabs, extensions, olderServers }: RegistrationSheet): readonly SheetBlock[] => [
  ...tabs.map(({ tab, fields }) => ({ heading: tab, fields })),
  { heading: "Extensions and packages", fields: extensions },
  ...(olderServers === undefined ? [] : [{ heading: olderServers.when, fields: olderServers.fields }]),
];

function asText(sheet: RegistrationSheet): string {
  const { title, where, notes } = sheet;
  const blocks = blocksOf(sheet);
  const width = Math.max(...blocks.flatMap(({ fields }) => fields.map(({ field }) => field.length)));
  const told = blocks.map(({ heading, fields }) =>
    [
      heading,
      ...fields.flatMap(({ field, value, note }) => [
        `  ${field.padEnd(width)}  ${value}`,
        ...(note === undefined ? [] : [`  ${"".padEnd(width)}  (${note})`]),
      ]),
    ].join("\n"),
  );
  return `${[`${title}\n${where}`, ...told, notes.map((note) => `- ${note}`).join("\n")].join("\n\n")}\n`;
}

function asMarkdown(sheet: RegistrationSheet): string {
  const { title, where, notes } = sheet;
  // Values are configuration and not ours: a bar would end the cell, a backtick the code, a bracket begin a tag.
  const plain = (text: string) => text.replaceAll(/[\\`<>[\]]/g, "\\$&").replaceAll("\n", " ");
  const cell = (text: string) => plain(text).replaceAll("|", "\\|");
  const code = (text: string) =>
    text.includes("`") || text === ""
      ? cell(text)
      : `\`${text.replaceAll("|", "\\|").replaceAll("\n", " ")}\``;
  const told = blocksOf(sheet).map(({ heading, fields }) =>
    [
      `## ${plain(heading)}`,
      "",
      "| Field | Value | |",
      "| --- | --- | --- |",
      ...fields.map(({ field, value, note }) => `| ${cell(field)} | ${code(value)} | ${cell(note ?? "")} |`),
    ].join("\n"),
  );
  const list = notes.map((note) => `- ${plain(note)}`).join("\n");
  return `${[`# ${plain(title)}`, plain(where), ...told, list].join("\n\n")}\n`;
}
