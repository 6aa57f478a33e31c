import { Document } from './document.js'

/** A page of rows. */
export class PageDocument extends Document {
  /** @param ageMs how long before it was put together the oldest of its parts was loaded */
  constructor(
    json: string | Buffer,
    etag: string,
    readonly ageMs: number,
  ) {
    super(json, etag)
  }
}
