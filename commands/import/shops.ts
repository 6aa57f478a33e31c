import type { Mapping } from './mapping.js'

const images = (name: (n: number) => string): string[] => Array.from({ length: 10 }, (_, n) => name(n + 1))

/** The columns of Etsy's file, for so many variations; old ones have no SKU. Their names are in the seller's language, their order is the same. */
const etsyColumns = (variations: number): string[] => [
  'TITLE',
  'DESCRIPTION',
  'PRICE',
  'CURRENCY_CODE',
  'QUANTITY',
  'TAGS',
  'MATERIALS',
  ...images((n) => `IMAGE${n}`),
  ...Array.from({ length: variations }, (_, at) => at + 1).flatMap((n) =>
    ['TYPE', 'NAME', 'VALUES'].map((part) => `VARIATION ${n} ${part}`),
  ),
  'SKU',
]

/** Shop Manager, Settings, Options, Download Data: "Currently for Sale Listings". Each listing is a template. */
const etsy: Mapping = {
  kind: 'template',
  layouts: [2, 3].flatMap((variations) => [etsyColumns(variations), etsyColumns(variations).slice(0, -1)]),
  fields: {
    // A listing with variations has those of all of them, which change with them.
    external_id: { column: 'SKU', single: ',' },
    name: 'TITLE',
    title: 'TITLE',
    description: 'DESCRIPTION',
    platform: { value: 'etsy' },
    product_type: { value: 'listing' },
    tags: { column: 'TAGS', split: ',' },
    price: { amount: 'PRICE', currency: 'CURRENCY_CODE' },
    metadata: {
      fields: {
        quantity: { column: 'QUANTITY', as: 'integer' },
        skus: { column: 'SKU', split: ',' },
        materials: { column: 'MATERIALS', split: ',' },
        images: { columns: images((n) => `IMAGE${n}`) },
        variations: {
          fields: Object.fromEntries(
            [1, 2, 3].map((n) => [
              String(n),
              {
                fields: {
                  type: `VARIATION ${n} TYPE`,
                  name: `VARIATION ${n} NAME`,
                  values: { column: `VARIATION ${n} VALUES`, split: ',' },
                },
              },
            ]),
          ),
        },
      },
    },
  },
}

/** Products, Export: several lines for a product, by its handle. Each product is a template. The file names no currency. */
const shopify: Mapping = {
  kind: 'template',
  group: 'Handle',
  fields: {
    external_id: 'Handle',
    name: 'Title',
    title: 'Title',
    description: 'Body (HTML)',
    platform: { value: 'shopify' },
    product_type: {
      column: ['Type', 'Custom Product Type', 'Product Category', 'Standard Product Type'],
      otherwise: 'product',
    },
    tags: { column: 'Tags', split: ',' },
    price: { amount: 'Variant Price', currency: { option: 'currency' } },
    is_active: { column: ['Status', 'Published'], as: 'boolean', true: ['active', 'true'], otherwise: true },
    metadata: {
      fields: {
        vendor: 'Vendor',
        category: 'Product Category',
        images: { column: 'Image Src', each: true, most: 20 },
        variants: {
          each: true,
          fields: {
            sku: 'Variant SKU',
            price: 'Variant Price',
            option1: 'Option1 Value',
            option2: 'Option2 Value',
            option3: 'Option3 Value',
          },
        },
      },
    },
  },
}

export const shops: Readonly<Record<string, Mapping>> = { etsy, shopify }

export const shopNames = Object.keys(shops)
