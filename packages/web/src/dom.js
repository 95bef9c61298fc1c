// Elements that the module adds to a form.

/** Leaves text to screen readers alone. Needs no style sheet of the page. */
export const HIDDEN =
  "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";

/** Makes an element with the children that there are. */
export const make = (tag, members, ...children) => {
  const made = Object.assign(document.createElement(tag), members);
  made.append(...children.filter(Boolean));
  return made;
};

/** Makes a paragraph of each text that there is. */
export const paragraphs = (texts) => texts.filter(Boolean).map((text) => make("p", {}, text));

// HTML that a page restores, as htmx does, has ids of an earlier load.
let count = (Math.random() * 1e9) | 0;
/** Gives an element an id unless it has one, and returns it. */
export const idOf = (element) => (element.id ||= `signup-${++count}`);

/** Replaces `%name%` in a text. */
export const interpolate = (text, value) => text?.replace(/%\w+%/, () => value);

/** Returns the name of a field in the service's documents. An input may have the key of `user_metadata` in brackets. */
export const dotted = (name) => name?.replace(/^user_metadata\[(.+)]$/, "user_metadata.$1");

/** Returns the name of an input in the service's documents. A custom element may have none. */
export const nameOf = (input) => dotted(input.getAttribute("name"));

/** Finds the inputs of a field, by its name in the service's documents. */
export const findInputs = (form, name) =>
  [...form.elements].filter((input) => nameOf(input) === name);

/** Finds the input of a field: one that is not hidden, if there is one. */
export const findInput = (form, name) => {
  const all = findInputs(form, name);
  return all.find(({ type }) => type !== "hidden") ?? all[0];
};

/** Puts an element below an input: after its label, and after the button that shows a password. */
export const putBelow = (input, element) => {
  const around = input.closest(".secret") ?? input.closest("label") ?? input;
  const next = around.nextElementSibling;
  (next?.matches("[data-signup-reveal]") || next?.control === input ? next : around).after(element);
};

/** Makes a live region: present before its first text, so that screen readers notice the text. */
export const makeStatus = (className, style = "") => {
  const status = make("p", { className, style });
  status.setAttribute("role", "status");
  return status;
};

/** Adds the element with this id to the descriptions of an input, as the first, or removes it. */
export const describe = (input, id, isDescribed = true) => {
  const name = "aria-describedby";
  const others = (input.getAttribute(name) ?? "").split(" ").filter((other) => other && other !== id);
  const ids = isDescribed ? [id, ...others] : others;
  if (ids.length) input.setAttribute(name, ids.join(" "));
  else input.removeAttribute(name);
};
