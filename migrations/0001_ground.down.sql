drop table orphaned_objects, output_counters, output_files, sessions, sandbox_tokens, agents, user_settings, system_settings, invitations, logins, users;
