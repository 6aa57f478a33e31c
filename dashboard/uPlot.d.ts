/** The chart library is served beside the page's own files. */
export { default } from 'uplot'
