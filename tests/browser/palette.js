// Pictures in PNG with a palette, in half of the bytes.

import { crc32, deflateSync } from "node:zlib";

/** As many as a palette holds. */
const COLOURS = 256;

/** Returns the pixels of a picture as places in a list of its most frequent colours. Runs in a page. */
async function reduce([source, count]) {
  const image = await createImageBitmap(await (await fetch(source)).blob());
  const { width, height } = image;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(image, 0, 0);
  const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) ?? 0) + 1);
  const channels = (pixel) => [pixel & 255, (pixel >> 8) & 255, (pixel >> 16) & 255];
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, count);
  const palette = frequent.map(([pixel]) => channels(pixel));
  const nearest = new Map();
  for (const pixel of counts.keys()) {
    const [r, g, b] = channels(pixel);
    const distances = palette.map(([pr, pg, pb]) => (pr - r) ** 2 + (pg - g) ** 2 + (pb - b) ** 2);
    nearest.set(pixel, distances.indexOf(Math.min(...distances)));
  }
  return { width, height, palette, places: Array.from(pixels, (pixel) => nearest.get(pixel)) };
}

/** Takes a picture of the whole page. `page` is any page that may read `data:` addresses: `shown` may not. */
export async function screenshot(page, shown) {
  const taken = await shown.screenshot({ fullPage: true });
  const source = `data:image/png;base64,${taken.toString("base64")}`;
  const { width, height, palette, places } = await page.evaluate(reduce, [source, COLOURS]);
  const part = (name, data) => {
    const body = Buffer.concat([Buffer.from(name), data]);
    const numbers = Buffer.alloc(8);
    numbers.writeUInt32BE(data.length, 0);
    numbers.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([numbers.subarray(0, 4), body, numbers.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits a pixel, with a palette.
  header.set([8, 3], 8);
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y++) rows.set(places.slice(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    part("IHDR", header),
    part("PLTE", Buffer.from(palette.flat())),
    part("IDAT", deflateSync(rows, { level: 9 })),
    part("IEND", Buffer.alloc(0)),
  ]);
}
