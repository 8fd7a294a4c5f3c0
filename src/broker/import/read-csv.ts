export interface CsvRecord {
  /** Where it begins in the text. */
  readonly line: number;
  readonly fields: readonly string[];
}

/** RFC 4180: quoted fields may hold commas, quotes and line ends. Empty lines are passed over. */
export function readCsv(text: string): readonly CsvRecord[] {
  const records: CsvRecord[] = [];
  let [line, begun, field, quoted] = [1, 1, "", false];
  let fields: string[] = [];
  const endField = () => {
    fields.push(field);
    field = "";
  };
  const endRecord = () => {
    endField();
    if (fields.length > 1 || fields[0] !== "") records.push({ line: begun, fields });
    fields = [];
  };
  const start = text.startsWith("\ufeff") ? 1 : 0;
  for (let i = start; i < text.length; i++) {
    const letter = text[i]!;
    if (quoted) {
      if (letter === '"' && text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else if (letter === '"') quoted = false;
      else {
        if (letter === "\n") line += 1;
        field += letter;
      }
    } else if (letter === '"' && field === "") quoted = true;
    else if (letter === ",") endField();
    else if (letter === "\n") {
      endRecord();
      line += 1;
      begun = line;
    } else if (letter !== "\r") field += letter;
  }
  if (field !== "" || fields.length > 0) endRecord();
  return records;
}
