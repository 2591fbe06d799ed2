SELECT guard('sync_page', 'environment_id = current_setting(''tenon.environment'')');
