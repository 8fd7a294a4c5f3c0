/** A tick on the checklist. It is for the document as it was then: once that is edited, somebody has to look again. */
export interface Review {
  readonly by: string;
  /** When the document had last been edited. */
  readonly of: string;
}
