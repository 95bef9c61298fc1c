import type { Policy } from "./signup.js";

/** An input of a form. */
export interface Field {
  /** Its name in the form. */
  name: string;
  /** Its element. */
  kind: "text" | "password" | "checkbox" | "choice" | "terms";
  /** Its name. The sentence of the terms is in three parts, below. */
  label: string;
  required: boolean;
  /** Attributes of the input, by their names in HTML. */
  input: Record<string, string>;
  /** The values of a choice. */
  choices?: { value: string; label: string }[];
  /** The address of the terms. */
  url?: string;
  /** The sentence of the terms: before the link, the link, after it. */
  before?: string;
  link?: string;
  after?: string;
}

/** Returns the inputs of a form in the order of the built-in page. */
export function fieldsOf(policy: Policy): Field[];
