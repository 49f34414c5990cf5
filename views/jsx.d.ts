// Elements and attributes that the JSX types do not know.
declare namespace JSX {
  interface IntrinsicElements {
    'hx-partial': HtmlTag & { 'hx-target': string; 'hx-swap': string }
  }
  interface HtmlTag {
    'x-data'?: string
    'x-ref'?: string
    'x-text'?: string
    'x-model'?: string
    'hx-get'?: string
    'hx-post'?: string
    'hx-swap'?: string
    'hx-target'?: string
    'hx-select'?: string
    'hx-boost'?: string
    'hx-trigger'?: string
  }
}
