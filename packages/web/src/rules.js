// The list of password rules, which are also its errors.

import { HIDDEN, describe, findInput, idOf, make, putBelow } from "./dom.js";

/** The codes of the rules that checkPassword checks whenever the policy has them. */
const CHECKED = /short|types|characters$/;

export class PasswordRules {
  /** Checks a password. Comes with the second file; until then the rules have no state. */
  checkPassword;
  /** The input that the rules were last listed for. */
  input;
  #form;
  #texts;
  #list;
  #added = [];
  #undescribe;
  #policy = {};

  constructor(form, texts) {
    this.#form = form;
    this.#texts = texts;
  }

  /** Lists the rules of a policy that are not on the page yet. By default that is the last one, for a new input. */
  start(policy = this.#policy) {
    const input = (this.input = findInput(this.#form, "password"));
    const box = this.#form.querySelector("[data-signup-rules]") ?? this.#draw(input);
    this.#policy = policy;
    if (!box) return;
    this.#undescribe?.();
    // A page that gives it an id refers to it by itself.
    if (input && !box.id) {
      describe(input, idOf(box));
      this.#undescribe = () => {
        describe(input, box.id, false);
        // It would pass for the page's own.
        box.removeAttribute("id");
      };
    }
    this.#list = box.matches("ul") ? box : box.querySelector("ul") ?? box.appendChild(this.#make("ul"));
    for (const { code, message } of policy.rules ?? []) {
      if (CHECKED.test(code) && !this.#find(code)) this.#add(code, message);
    }
    this.check();
  }

  /** Adds a list below an input that asks for it. */
  #draw(input) {
    if (!input?.matches("[data-signup-password]")) return undefined;
    const list = this.#make("ul");
    list.dataset.signupRules = "";
    putBelow(input, list);
    return list;
  }

  /** Removes what this added. */
  remove() {
    for (const element of this.#added) element.remove();
    this.#undescribe?.();
  }

  /** Marks each rule as met or not. */
  check() {
    if (!this.#list || !this.checkPassword) return;
    const password = findInput(this.#form, "password")?.value ?? "";
    const all = (selector) => this.#list.querySelectorAll(selector);
    for (const line of all("[data-live]")) line.remove();
    for (const line of all("[data-text]")) {
      line.lastChild.textContent = line.dataset.text;
      delete line.dataset.text;
      delete line.dataset.met;
    }
    for (const { code, met } of this.checkPassword(password, this.#policy)) {
      // A rule that is listed only while the password breaks it.
      const line = this.#find(code) ?? this.#add(code, this.#texts[code.replace(".", "_")]);
      if (!met && /too_(long|common)$/.test(code)) line.dataset.live = "";
      if (!line.querySelector(".signup-state")) {
        line.prepend(make("span", { className: "signup-state", style: HIDDEN }));
      }
      line.dataset.met = met && password !== "";
      line.firstChild.textContent = password && `${this.#texts[met ? "met" : "unmet"]} `;
    }
  }

  /** Marks an unmet rule. Returns the element that describes the password, if the rule is listed. */
  showError({ code, message }) {
    const line = this.#list && this.#find(code);
    if (!line) return undefined;
    line.dataset.met = "false";
    // This error names what the password contains.
    if (code === "password.contains_user_info") {
      line.dataset.text ??= line.lastChild.textContent;
      line.lastChild.textContent = message;
    }
    return this.#list.closest("[data-signup-rules]") ?? this.#list;
  }

  #find(code) {
    return this.#list.querySelector(`[data-rule="${CSS.escape(code)}"]`);
  }

  #add(code, text) {
    const line = this.#list.appendChild(this.#make("li"));
    line.textContent = text;
    line.dataset.rule = code;
    return line;
  }

  #make(tag) {
    const element = make(tag);
    this.#added.push(element);
    return element;
  }
}
