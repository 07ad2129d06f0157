// The cleaner of pasted HTML: a script of its own, which is loaded once the editor stands, so that writing begins sooner.
import { makeInert } from "./paste/inert_html.js";
import { schema } from "./schema.js";

const LATEST_MS = 2000;

export class PasteCleaner {
  #address;
  #cleanHtml = null;
  #loading = null;
  #tries = 0;

  constructor(address) {
    this.#address = address;
  }

  get isReady() {
    return this.#cleanHtml !== null;
  }

  /** Load it when the browser has nothing else to do. */
  loadSoon() {
    const load = () => this.load().catch(() => {});
    if ("requestIdleCallback" in window) requestIdleCallback(load, { timeout: LATEST_MS });
    else setTimeout(load, LATEST_MS / 10);
  }

  /** Load it, unless it is there. If it cannot be had, this rejects, and the next call tries again. */
  load() {
    this.#loading ??= this.#import();
    return this.#loading;
  }

  /** What `paste/clean_html.js` makes of `html`; nothing but its words, as long as that is not loaded. */
  clean(html) {
    if (this.isReady) return this.#cleanHtml(html, schema);
    const paragraph = document.createElement("p");
    paragraph.textContent = readWords(html);
    return { html: paragraph.outerHTML, tables: false, pictures: false };
  }

  async #import() {
    // Browsers keep that an address has failed.
    const again = this.#tries > 0 ? `?${this.#tries}` : "";
    this.#tries += 1;
    try {
      ({ cleanHtml: this.#cleanHtml } = await import(this.#address + again));
    } catch (fault) {
      this.#loading = null;
      throw fault;
    }
  }
}

/** The words of `html`, which is parsed into a document that is not shown. */
export function readWords(html) {
  return new DOMParser().parseFromString(makeInert(html), "text/html").body.textContent;
}
