// Elements and attributes that the JSX types do not know.
declare namespace JSX {
  interface IntrinsicElements {
    'x-term': HtmlTag & { session: string; 'data-theme'?: string; 'hx-morph-skip'?: boolean }
    'hx-partial': HtmlTag & { 'hx-target': string; 'hx-swap': string }
  }
  interface HtmlTag {
    'x-data'?: string
    'x-ref'?: string
    'hx-get'?: string
    'hx-post'?: string
    'hx-swap'?: string
    'hx-target'?: string
    'hx-confirm'?: string
    'hx-trigger'?: string
  }
}
