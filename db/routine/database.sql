-- Settings of the database itself, for every session, also behind a pooler.
do $$
begin
  -- Plans that are forced by switching others off carry a cost that makes PostgreSQL before 18 compile them:
  -- a claim that takes 0.2 ms then takes 50.
  execute format('alter database %I set jit = off', current_database());
exception when insufficient_privilege then
  null; -- Not the owner of the database: sessions that are not pooled switch it off themselves (client.ts).
end $$;
