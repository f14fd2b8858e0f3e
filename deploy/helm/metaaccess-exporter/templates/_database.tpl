{{/* The URL of the database, with the files of its TLS that the chart mounts; nothing where there is no database. */}}
{{- define "metaaccess-exporter.stateUrl" -}}
{{- $state := .Values.state -}}
{{- if $state.url -}}
{{- $folder := include "metaaccess-exporter.configFolder" . -}}
{{- $more := list -}}
{{- if include "metaaccess-exporter.hasDatabaseCa" . -}}
{{- $more = append $more (printf "sslrootcert=%s/database-ca.crt" $folder) -}}
{{- end -}}
{{- if $state.clientCertificateSecret -}}
{{- $more = append $more (printf "sslcert=%s/database.crt" $folder) -}}
{{- $more = append $more (printf "sslkey=%s/database.key" $folder) -}}
{{- end -}}
{{- $url := trim $state.url -}}
{{- /* Without a word a server on loopback, as of a sidecar, is asked in the clear. */ -}}
{{- if and $more (not (include "metaaccess-exporter.databaseParameter" (list . "sslmode"))) -}}
{{- $more = prepend $more "sslmode=verify-full" -}}
{{- end -}}
{{- if $more -}}
{{- $url = printf "%s%s%s" $url (ternary "&" "?" (contains "?" $url)) (join "&" $more) -}}
{{- end -}}
{{- $url -}}
{{- end -}}
{{- end -}}

{{- define "metaaccess-exporter.hasDatabaseCa" -}}
{{- with .Values.state.ca -}}
{{- if or .value .existingConfigMap .existingSecret -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* The files for the database that are the user's, as sources of the folder of the configuration. */}}
{{- define "metaaccess-exporter.databaseSources" -}}
{{- if .Values.state.url -}}
{{- include "metaaccess-exporter.givenSource" (list .Values.state.password "database-password") }}
{{- include "metaaccess-exporter.givenSource" (list .Values.state.ca "database-ca.crt") }}
{{- with .Values.state.clientCertificateSecret }}
- secret:
    name: {{ . | quote }}
    items:
      - key: tls.crt
        path: database.crt
      - key: tls.key
        path: database.key
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Hosts and ports of the database's URL, as they stand there. */}}
{{- define "metaaccess-exporter.databaseHosts" -}}
{{- regexReplaceAll "^[a-zA-Z]+://([^/?]*@)?([^/?]*).*$" (trim .Values.state.url) "${2}" -}}
{{- end -}}

{{/* What a parameter of the database's URL is set to: (list $ NAME). */}}
{{- define "metaaccess-exporter.databaseParameter" -}}
{{- $found := regexFind (printf "[?&]%s=[^&]*" (last .)) (first .).Values.state.url -}}
{{- regexReplaceAll "^[^=]*=" $found "" -}}
{{- end -}}

{{/* The ports of the database, in order. */}}
{{- define "metaaccess-exporter.databasePorts" -}}
{{- $ports := list -}}
{{- $hosts := include "metaaccess-exporter.databaseHosts" . -}}
{{- range splitList "," $hosts -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "5432") -}}
{{- end -}}
{{- with include "metaaccess-exporter.databaseParameter" (list . "port") -}}
{{- $ports = splitList "," . -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | join " " -}}
{{- end -}}

{{/* What the database has to be given, and what it may take away. */}}
{{- define "metaaccess-exporter.databaseNotes" -}}
{{- $before := regexReplaceAll "\\?.*$" (trim .Values.state.url) "" -}}
{{- $user := regexReplaceAll "^[a-z]+://([^@]*)@.*$" $before "${1}" -}}
{{- $name := regexReplaceAll "^[a-z]+://[^/]*/?" $before "" | default $user -}}
{{- $hosts := include "metaaccess-exporter.databaseHosts" . | default (include "metaaccess-exporter.databaseParameter" (list . "host")) -}}
The counts are in the database {{ $name | quote }} at {{ $hosts }}. A superuser makes it, once:

    CREATE ROLE "{{ $user }}" LOGIN PASSWORD '...';   -- without PASSWORD where a client certificate is enough
    CREATE DATABASE "{{ $name }}" OWNER "{{ $user }}" ENCODING 'UTF8' TEMPLATE template0;

- The role needs nothing else: it makes its tables, metaaccess_..., at the first start. Where it does not own the
  database, let it into a schema: GRANT CREATE, USAGE ON SCHEMA public TO "{{ $user }}";
- Each pod has a few connections. Behind a pooler let it keep one for each of them (pool_mode = session).
- TLS is checked: the server's certificate is for the host's name in state.url, from an authority that state.ca names.
  In pg_hba.conf: hostssl "{{ $name }}" "{{ $user }}" ... scram-sha-256, or cert for a client certificate.
- Leave synchronous_commit on. What a standby has not got when it takes over is lost: lines are counted again, since the
  log has them; until then counts stand still, or fall once where no replica has lived on
  (metaaccess_state_regressions_total, another epoch). To lose nothing name synchronous_standby_names.
- Prometheus scrapes each pod by itself, with the pod's name as instance, as the chart's ServiceMonitor does. Take the
  rules of prometheusRule, which count each line once however many pods show it.
{{- end -}}
