create table users (
  id uuid primary key,
  version bigint not null default 1,
  email text not null,
  shop_name text not null,
  role text not null default 'member' check (role in ('owner', 'admin', 'member')),
  subscription_plan text not null default 'free' check (subscription_plan in ('free', 'basic', 'pro', 'enterprise')),
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index users_email on users (lower(email));

create table tokens (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  name text not null,
  hash text not null unique,
  expires_at timestamptz,
  created_at timestamptz not null default now()
);
create index tokens_user on tokens (user_id, id);

create table templates (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  version bigint not null default 1,
  name text not null,
  title text not null,
  description text,
  platform text not null check (platform in ('etsy', 'shopify', 'craftflow')),
  product_type text not null,
  tags text[] not null default '{}',
  price_cents integer check (price_cents >= 0),
  currency text,
  is_active boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index templates_user on templates (user_id, id);
create index templates_user_name on templates (user_id, name);

create table designs (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  version bigint not null default 1,
  filename text not null,
  file_path text not null,
  description text,
  tags text[] not null default '{}',
  platform text not null check (platform in ('etsy', 'shopify', 'craftflow')),
  template_ids uuid[] not null default '{}',
  is_active boolean not null default true,
  is_digital boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index designs_user on designs (user_id, id);
create index designs_user_filename on designs (user_id, filename);
create index designs_template_ids on designs using gin (template_ids);

create table mockups (
  id uuid primary key,
  user_id uuid not null references users (id) on delete cascade,
  version bigint not null default 1,
  name text not null,
  template_id uuid not null references templates (id),
  design_id uuid references designs (id) on delete set null,
  starting_name integer not null default 100,
  images jsonb not null default '[]',
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create index mockups_user on mockups (user_id, id);
create index mockups_template on mockups (template_id);
create index mockups_design on mockups (design_id);
